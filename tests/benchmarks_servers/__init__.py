"""Do the benchmarks of whole servers, of load and of capacity measure what they say? On the smallest scale."""
