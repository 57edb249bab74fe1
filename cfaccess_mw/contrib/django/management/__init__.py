"""Where does Django look for the commands of this application? In the folder beside this file."""
