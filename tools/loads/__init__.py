"""What measures servers under loads of requests: processes, clients, arithmetic, and what a sample is of."""
