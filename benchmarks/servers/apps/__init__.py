"""Which applications are measured? Run in processes of their own; the environment says which variant and which team."""
