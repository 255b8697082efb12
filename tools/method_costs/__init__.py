"""What serving each method of adapting costs, measured by `graft bench` beside the base alone."""
