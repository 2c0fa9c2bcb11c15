# elephant_worker: a cron inside PostgreSQL

EXTENSION = elephant_worker elephant_worker_cron
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" elephant_worker.control)

BUILD = build
SCRIPT = $(BUILD)/elephant_worker--$(EXTVERSION).sql
# From each version that a script in updates/ starts from, straight to this one.
STEPS = $(shell ls updates/*--*.sql | sort --version-sort)
UPDATES = $(patsubst updates/%,$(BUILD)/elephant_worker--%--$(EXTVERSION).sql,$(foreach step,$(STEPS),$(firstword $(subst --, ,$(step)))))
# The functions of pg_cron are an extension of their own.
CRON_SCRIPT = $(BUILD)/elephant_worker_cron--$(EXTVERSION).sql
CRON_PARTS = $(patsubst %,cron/%.sql,schema job site_setting save_job change_job job_run_details delete_run refuse_write define_named_job schedule \
	schedule_in_database alter_job unschedule)
# Beside the server's own psql, which it calls.
SCRIPTS = launcher/elephant_worker_patroni
DATA_built = $(SCRIPT) $(UPDATES) $(CRON_SCRIPT)

# The order in which things are created; within a folder that of the file names, but for the views.
FOLDERS = roles types internal tables worker views api checks triggers diagnostics privileges
# Each comes after those that it reads.
VIEWS = replaced_role all_job all_job_log all_job_change all_alert job_for_worker worker_status \
	member_job member_job_log member_once_job member_alert my_job my_job_log my_alert visible_job visible_job_log \
	member_job_change my_job_change job_grid my_job_definition member_job_definition view_owner job_stats job_request \
	job_chain job_problem problem job_overview recent_runs dry_run metric
ORDERED_views = $(VIEWS:%=sql/views/%.sql)
parts = $(foreach folder,$(1),$(or $(ORDERED_$(folder)),$(sort $(wildcard sql/$(folder)/*.sql))))
PARTS = sql/prelude.sql $(call parts,$(FOLDERS))
# What an update repeats; see updates/README.md.
REPEATED = $(call parts,$(filter-out roles,$(FOLDERS)))

PYTHON_PACKAGE = plpython/elephant_worker
PYTHON_FOLDERS = $(patsubst $(PYTHON_PACKAGE)/%/__init__.py,%,$(sort $(wildcard $(PYTHON_PACKAGE)/*/__init__.py)))
# What is read at run time, beside the modules that read it.
PYTHON_DATA = $(foreach suffix,html css js,$(wildcard $(PYTHON_PACKAGE)/report/*.$(suffix)))
VENDOR = build/vendor

# The oldest PostgreSQL that the extension supports.
OLDEST = 15

# A story: the order matters.
REGRESS = install schedules jobs privileges uninstall
REGRESS_OPTS = --inputdir=tests --outputdir=build/regress

# PostgreSQL's makefile follows the prefix only where the server's own directories have it; those of Debian have none.
ifdef prefix
override bindir := $(prefix)/bin
override datadir := $(prefix)/share/postgresql
override pkglibdir := $(prefix)/lib/postgresql
endif

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

.DEFAULT_GOAL := all
ifneq ($(PGXS),)
include $(PGXS)
endif
# The server must be able to read what somebody whose umask is 077 installs.
MKDIR_P := umask 022 && $(MKDIR_P)
all: $(DATA_built) $(VENDOR)

$(DATA_built): | supported
supported:
	@[ '$(basename $(MAJORVERSION))' -ge $(OLDEST) ] || { echo 'elephant_worker needs PostgreSQL $(OLDEST) or later; $(PG_CONFIG) is of $(MAJORVERSION)' >&2; exit 1; }

# Each part is preceded by its path, so that the position of an error leads back to the file.
joined = for part in $(1); do printf -- '-- %s\n' "$$part"; cat "$$part"; done
filled_in = $(PYTHON) sql/expand.py \
	| sed -e 's|@PACKAGE@|elephant_worker_$(subst .,_,$(EXTVERSION))|g' -e 's|@VERSION@|$(EXTVERSION)|g' \
	    -e 's|@PKGLIBDIR@|$(pkglibdir)|g' -e 's|@BINDIR@|$(bindir)|g'
# What is there is replaced, or left as it is; types, and changes of tables, are for the update script alone.
repeatable = sed -E -e '/^(CREATE TYPE|ALTER TABLE) .*;$$/d' -e '/^(CREATE TYPE|ALTER TABLE) /,/;$$/d' \
	-e 's/^CREATE (FUNCTION|PROCEDURE|VIEW) /CREATE OR REPLACE \1 /' \
	-e 's/^CREATE ((UNIQUE )?INDEX|TABLE) /CREATE \1 IF NOT EXISTS /'

# What every script is made of: expand.py looks through all parts for the names of internals.
FILLING = $(PARTS) sql/expand.py sql/one_line_of_context.sql plpython/loader.py elephant_worker.control Makefile $(BUILD)/pkglibdir

$(SCRIPT): $(FILLING)
	$(call joined,$(PARTS)) | $(filled_in) > $@.new
	mv $@.new $@

$(CRON_SCRIPT): cron/begin.sql $(CRON_PARTS) cron/end.sql $(FILLING)
	$(call joined,cron/begin.sql $(CRON_PARTS) cron/end.sql) | $(PYTHON) sql/expand.py > $@.new
	mv $@.new $@

$(BUILD)/elephant_worker--%--$(EXTVERSION).sql: $(STEPS) updates/begin.sql updates/end.sql $(FILLING)
	{ $(call joined,updates/begin.sql $$(printf '%s\n' $(STEPS) | sed -n '\|^updates/$*--|,$$p')); \
	    $(call joined,$(REPEATED)) | $(repeatable); $(call joined,updates/end.sql); } | $(filled_in) > $@.new
	mv $@.new $@

# The script names this directory; it changes when the next make is for another server.
$(BUILD)/pkglibdir: FORCE
	@mkdir -p $(BUILD)
	@echo '$(pkglibdir)' | cmp -s - $@ || echo '$(pkglibdir)' > $@

# What PL/Python runs looks for the packages that suit it. A release has them with it (make dist); a clone gets them from PyPI.
PLPYTHON = python=$$(plpython/interpreter.sh "$$($(PG_CONFIG) --pkglibdir)" '$(PYTHON)') && $$python
WHEELS = $(wildcard plpython/wheels)
$(VENDOR): plpython/requirements.txt build/python
	rm -rf $@ $@.new
	export PIP_ROOT_USER_ACTION=ignore; $(PLPYTHON) -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
	    --only-binary :all: $(if $(WHEELS),--no-index --find-links $(WHEELS)) --target $@.new --requirement $<
	mv $@.new $@
	touch $@

build/python: FORCE
	@mkdir -p build
	@version=$$($(PLPYTHON) --version) && { echo "$$version" | cmp -s - $@ || echo "$$version" > $@; }

PYTHON_DIRECTORY = $(DESTDIR)$(pkglibdir)/elephant_worker/$(EXTVERSION)

install: install-python
install-python: all
	rm -rf '$(PYTHON_DIRECTORY)'
	for folder in . $(PYTHON_FOLDERS); do \
	    $(MKDIR_P) "$(PYTHON_DIRECTORY)/elephant_worker/$$folder" \
	    && $(INSTALL_DATA) $(PYTHON_PACKAGE)/$$folder/*.py "$(PYTHON_DIRECTORY)/elephant_worker/$$folder/" || exit; \
	done
	$(INSTALL_DATA) $(PYTHON_DATA) '$(PYTHON_DIRECTORY)/elephant_worker/report/'
	printf 'VERSION = "%s"\n' '$(EXTVERSION)' > '$(PYTHON_DIRECTORY)/elephant_worker/version.py'
	$(PLPYTHON) -c 'import sysconfig; print("TZPATH =", repr(sysconfig.get_config_var("TZPATH")))' \
	    >> '$(PYTHON_DIRECTORY)/elephant_worker/version.py'
	cp -R $(VENDOR) '$(PYTHON_DIRECTORY)/vendor'
	$(PLPYTHON) -m compileall -q -s '$(DESTDIR)' '$(PYTHON_DIRECTORY)'
	chmod -R u=rwX,go=rX '$(PYTHON_DIRECTORY)'

uninstall: uninstall-python uninstall-scripts
# PGXS finds those alone that have been in this directory here.
uninstall-scripts:
	rm -f $(addprefix '$(DESTDIR)$(bindir)'/,$(notdir $(SCRIPTS)))

uninstall-python:
	rm -rf '$(PYTHON_DIRECTORY)'
	rmdir '$(DESTDIR)$(pkglibdir)/elephant_worker' 2>/dev/null || true # another version may be there

clean: clean-build
clean-build:
	rm -rf build

installcheck: build/regress
build/regress:
	mkdir -p $@

.PHONY: install-python uninstall-python uninstall-scripts clean-build supported FORCE

# --- for developers and newcomers: these do all their own set-up (see tools/prepare.sh) ------

DEVELOPER_TARGETS = demo test surface soak bench lint matrix ha pictures monitoring dist deb containers
.PHONY: $(DEVELOPER_TARGETS)

prepare = @tools/prepare.sh && $(MAKE) -s PG_CONFIG="$$(tools/pg_config.sh)" all

# Jobs of an ordinary role in two databases of a throwaway cluster, for 15 seconds; leaves build/demo/report.html.
demo:
	$(prepare)
	@KEEP=build/demo tools/sandbox.sh python -m tools.demo

# Everything that CI runs, with four clusters side by side, since most of the time a test waits for something.
test: lint
	@SCRATCH=$$(tools/scratch.sh) tools/sandbox.sh python -m pytest --numprocesses=4 --dist=worksteal $(PYTEST)

# What the extension offers, written anew into tests/expected/surface.txt and docs/jobs.schema.json.
surface:
	$(prepare)
	@KEEP="tests/expected docs" tools/sandbox.sh env WRITE_SURFACE=1 python -m pytest --quiet tests/integration/test_surface.py \
	    tests/integration/test_apply_jobs.py::test_the_schema_of_documents

# Many jobs and faults at random, then an audit; for as long again, random histories that are held against the documents,
# of which those that contradict them are kept in build/histories: make soak MINUTES=10 SEED=4711. DISK is an empty
# directory on a file system of less than 1 GB, which is then filled now and then.
soak:
	$(prepare)
	@tools/sandbox.sh env PYTHONPATH=plpython python -m tools.soak $(or $(MINUTES),10) $(or $(SEED),random) $(DISK)
	@mkdir -p build/histories
	@KEEP=build/histories tools/sandbox.sh python -m tests.model $$(( $(or $(MINUTES),10) * 60 / 30 )) 30 $(SEED)

# The test suite on PostgreSQL 15 to 19, or only some: make matrix VERSIONS="17 18" (root; debootstrap).
matrix:
	@tools/matrix.sh $(VERSIONS)

# Three nodes under Patroni, and what happens to machines: what each failure costs, on Debian bookworm in a folder, or only
# some: make ha TESTS="-k partition" (root; debootstrap).
ha:
	@tools/ha.sh $(TESTS)

# What is released, with all that the build needs: build/dist/elephant_worker-<version>.tar.gz. PGXN takes it, and make deb.
dist:
	@tools/prepare.sh
	@tools/dist.sh

# Debian packages in build/deb: built without a network, checked by lintian, and installed and tried in an empty Debian,
# or only for some: make deb SUITES="trixie" (root; debootstrap, autopkgtest).
deb: dist
	@tools/deb.sh $(SUITES)

# What docs/containers.md says, in a chroot (root; debootstrap).
containers: dist
	@tools/containers.sh

# Figures, also of the peers; nothing is asserted. QUICK=1: in less than three minutes; SCENARIOS="…": only these.
bench:
	$(prepare)
	@tools/bench.sh $(if $(QUICK),--quick) $(SCENARIOS)

# What is in monitoring/, with Debian's Prometheus and exporter.
monitoring:
	$(prepare)
	@tools/monitoring.sh

# The pictures in docs/, but for those of the benchmarks; the report is tested in a browser.
pictures:
	$(prepare)
	@tools/pictures.sh

PGSPOT = --ignore-lang plpython3u --proc-without-search-path 'extschema.run_worker(host text,attended boolean)' \
	--proc-without-search-path 'extschema.wait_for_run(jl_id bigint,timeout interval,INOUT state text,INOUT exception_message text)'
# Updates replace what is there; PostgreSQL itself refuses to replace what is not the extension's own.
REPLACES = $(foreach code,PS002 PS012 PS014 PS015,--ignore $(code))
lint:
	$(prepare)
	build/venv/bin/python -m ruff check .
	build/venv/bin/python -m ruff format --check .
	build/venv/bin/python -m mypy
	build/venv/bin/python -m pgspot $(PGSPOT) $(SCRIPT)
	{ echo 'SET LOCAL search_path = pg_catalog, pg_temp;'; cat $(CRON_PARTS); } | sed 's/@scheduler@/scheduler/g' | build/venv/bin/python sql/expand.py | build/venv/bin/python -m pgspot
	build/venv/bin/python -m pgspot $(PGSPOT) $(REPLACES) $(UPDATES)
