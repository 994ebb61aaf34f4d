"""What a person is shown of a recording: a page for each event, a page of the whole mission."""
