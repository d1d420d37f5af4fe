"""What is read from and asked of the machine: its cores, processes' CPU and memory, files, late event loops."""
