from tenfold.core.extras import require


def build() -> None:
    require("a_package_that_nobody_has", "broken")
