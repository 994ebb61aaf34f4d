"""Who may compute on the GPU: the arbiter, the kernel lock, the epoch file.

`errors`, `lock`, `lock_witness` and `epoch_file` run in the model's container, too: standard
library only, Python 3.10.
"""
