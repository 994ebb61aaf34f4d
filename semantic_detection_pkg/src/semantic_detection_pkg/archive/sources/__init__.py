"""What can be looked through: bags, videos, folders of pictures, each behind one protocol."""
