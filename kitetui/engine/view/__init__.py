"""What viewers see: pictures of the engine's state, and its status, on request."""
