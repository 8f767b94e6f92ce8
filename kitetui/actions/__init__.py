"""What keys do: a module for what each group of them is about."""
