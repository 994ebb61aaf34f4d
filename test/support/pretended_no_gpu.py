"""As `pretended_gpu`, where no kernel can run."""

import sys

from gpu_check import hand_over
from pretended_gpu import no_gpu

if __name__ == "__main__":
    sys.exit(hand_over.main(sys.argv[1:], no_gpu))
