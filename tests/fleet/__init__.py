"""Do many processes know the same, and does none let anybody in while it does not?"""
