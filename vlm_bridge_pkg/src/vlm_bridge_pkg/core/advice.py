"""What helps against the causes that stay until somebody changes the set-up."""

ADVICE = {
    "no_vision": "the model's service takes no pictures: its model has no eyes, or lacks its"
    " projector (llama-server: --mmproj)",
    "too_large": "picture and question are too large for the model's service: give it a longer"
    " context (llama-server: --ctx-size), or send a smaller picture (image_size_px)",
}
