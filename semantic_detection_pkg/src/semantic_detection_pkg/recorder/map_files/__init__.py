"""Missions as files for maps: KML, KMZ, GPX, GeoJSON, CSV, GeoTIFF."""
