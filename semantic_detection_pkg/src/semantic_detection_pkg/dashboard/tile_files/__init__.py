"""Files of map tiles: MBTiles and PMTiles, opened by what they hold."""
