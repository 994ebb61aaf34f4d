"""The protocol's numbers and names. docs/vlm_protocol.md lists them; a test compares."""

MAX_BODY_BYTES = 4 * 1024 * 1024  # a picture in base64 and its question
MAX_PICTURE_BYTES = 2 * 1024 * 1024
MAX_PICTURE_SIDE_PX = 4096  # a small file may hold a picture that fills the memory
MAX_PROMPT_CHARS = 4000
MAX_TOKENS = 512  # of an answer; the model's context is 512 with picture and question
MAX_REPLY_BYTES = 256 * 1024
MAX_CONNECTIONS = 16
READ_TIMEOUT_S = 5.0  # for a whole request to come in

CHAT_PATH = "/v1/chat/completions"
MODELS_PATH = "/v1/models"
HEALTH_PATH = "/health"

EPOCH_HEADER = "X-Lease-Epoch"
DEADLINE_HEADER = "X-Deadline-Ms"  # what is left; wall clocks differ between containers
