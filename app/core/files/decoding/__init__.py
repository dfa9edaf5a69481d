"""The program that decodes pictures in a process of its own."""
