"""What do others take for the same? One file for each package, as its documentation says it is used."""
