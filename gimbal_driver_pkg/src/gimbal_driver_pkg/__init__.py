"""Gimbal driver for SIYI, Viewpro and MAVLink, and a mock gimbal that speaks the same protocols."""
