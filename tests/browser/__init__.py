"""Tests of the pages in an installed browser."""

import shutil

# The first is Chromium without its window, which tests don't see; it needs less than half of the CPU time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
# A container's root has no sandbox, and a machine without a graphics card is slow at imitating one.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-gpu-rasterization"]
