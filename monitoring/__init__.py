"""What operators watch: the console's pages, and the ports through which they see the hub."""
