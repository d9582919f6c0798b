"""The tests; `tests/test_<package>_<module>.py` holds those of `collector/<package>/<module>.py`."""
