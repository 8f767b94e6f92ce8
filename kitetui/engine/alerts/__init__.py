"""What we tell: the gate and the desk."""
