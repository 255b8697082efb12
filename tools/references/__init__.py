"""Makes what the tests compare with, and compares Graft with PEFT; tools/reference starts it all."""
