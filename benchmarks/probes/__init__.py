"""What has to be measured in a process that has done nothing else: each file is run, and prints JSON."""
