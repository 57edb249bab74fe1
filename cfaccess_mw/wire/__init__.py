"""What does this request say, and how does a refusal look?"""
