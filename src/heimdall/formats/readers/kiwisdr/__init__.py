"""KiwiSDR recordings, with the GPS stamps between their samples, as observations."""
