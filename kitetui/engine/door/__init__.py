"""Who comes in, and how: sockets, HTTP and channels that commands and questions arrive on."""
