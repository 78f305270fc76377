"""Worker processes: encode with several processes on the cores of a CPU, or with one process per GPU."""
