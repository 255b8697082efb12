"""Side-by-side measurements of Graft and the engines that people would otherwise pick."""
