"""How does a user of this framework expect to find who is asking? One module for each, thin, behind the doors."""
