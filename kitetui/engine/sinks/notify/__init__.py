"""How people who are not at the screen are told: an outbox on the disk, and senders behind it."""
