def load():
    import sys

    try:  # where importlib.util has them from, which imports much else
        from _frozen_importlib import module_from_spec
        from _frozen_importlib_external import spec_from_file_location
    except ImportError:
        from importlib.util import module_from_spec, spec_from_file_location
    from os.path import dirname, exists, realpath

    # Beside the library of PL/Python that the server has loaded: it is found there also after
    # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
    # To read what is loaded takes long, so not where the server still is the one of the build.
    directories = ["@PKGLIBDIR@"]
    if realpath("/proc/self/exe") != "@BINDIR@/postgres" and exists("/proc/self/maps"):
        with open("/proc/self/maps") as maps:
            libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
        directories = [dirname(library) for library in libraries] + directories
    files = [f"{directory}/elephant_worker/@VERSION@/elephant_worker/__init__.py" for directory in directories]
    file = next(filter(exists, files), None)
    if file is None:  # installed under a prefix of its own, perhaps
        file = plpy.execute('SELECT @extschema@.package_file() AS file')[0]["file"]
    if file is None:
        plpy.error(
            "the Python package of elephant_worker @VERSION@ is not installed",
            detail=f"There is no {files[-1]}.",
            hint='An administrator can install it, or update the extension: SELECT * FROM @extschema@.check_setup(); says how.',
            sqlstate="58P01",
        )
    spec = spec_from_file_location("@PACKAGE@", file)
    package = sys.modules["@PACKAGE@"] = module_from_spec(spec)
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules["@PACKAGE@"]
        raise
