"""The policy engine, whichever protocol it speaks."""
