# Every target calls one script that needs only Python's standard library; without make: python3 bootstrap.py TARGET
.PHONY: setup demo test check docs clean
setup demo test check docs clean:
	@python3 bootstrap.py $@
