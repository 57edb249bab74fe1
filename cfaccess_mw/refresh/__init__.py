"""Who fetches, when told to?"""
