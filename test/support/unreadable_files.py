"""Parameter files that ROS cannot read, by what is wrong with them."""

UNREADABLE = {
    "tabs": b"example:\n\tros__parameters:\n\t\tx: 1\n",
    "a list of two types": b"example:\n  ros__parameters:\n    x: [person, 4]\n",
    "an empty value": b"example:\n  ros__parameters:\n    x:\n",
    "no ros__parameters": b"example:\n  x: 1\n",
    "no text": b"\x7fELF\x02\x01\x01\x00\xff\xfe\x80\x00example\n",
}
