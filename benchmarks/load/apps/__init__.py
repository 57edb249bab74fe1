"""What is protected while the load lasts? It says who was let in, so that a mix-up is seen."""
