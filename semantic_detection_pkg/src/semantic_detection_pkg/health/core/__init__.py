"""What the machine has left, and what is shed when it is too little."""
