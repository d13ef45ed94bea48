"""Prices, carbon intensity and weather: from services that answer in JSON (config/sources) and from files."""
