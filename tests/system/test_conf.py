"""What YAML files say of themselves."""

from pathlib import Path

from omegaconf import OmegaConf

from salutary.system import conf
from salutary.system.conf import Setting, config_dir

CONF = Path(config_dir())


def test_settings_and_their_comments(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        "# A choice. With more to say.\n_target_: somewhere.Class\nn: 3   # so many\nlist: []\n"
        'mark: ","   # of values\npart:\n  inner: 1   # not one of them\npath: ${data_dir}\n'
    )
    assert conf.settings(file) == [
        Setting("n", "3", "so many"),
        Setting("list", "[]", ""),
        Setting("mark", '","', "of values"),
        Setting("path", "${data_dir}", ""),
    ]
    assert conf.first_sentence(file) == "A choice"


def test_sections_groups_and_comments_of_several_lines(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        "# What the file is.\n# It is said on two lines.\ndefaults:\n  - _self_\n\n"
        "plain: 1\n# Files: where\n# they are\npool: null   # rows to label,\n             # one a line\n"
        "mark: '#'   # of comments\n# Others\nseed: 0\n\nalone: a # b\n"
        "model:   # read by some\n  l2: 1e-3   # the penalty\n  # of the inner ones\n  inner:\n"
        "    _target_: a.B\n    n: [1, 2]\n    # next\n  tol: 1\nlast: 2\n"
        "hydra:\n  # Its own.\n  run: {dir: .}\n"
    )
    assert conf.documented(file) == [
        Setting("plain", "1", ""),
        Setting("pool", "null", "rows to label, one a line", "Files: where they are"),
        Setting("mark", "'#'", "of comments", "Files: where they are"),
        Setting("seed", "0", "", "Others"),
        Setting("alone", "a", "b"),
        Setting("model.l2", "1e-3", "the penalty", "read by some"),
        Setting("model.inner.n", "[1, 2]", "", "of the inner ones"),
        Setting("model.tol", "1", "", "next"),
        Setting("last", "2", ""),
    ]


def test_every_setting_that_a_file_has_is_documented():
    groups = ("strategy", "model", "protocol", "device", "study")
    for file in [*CONF.glob("*.yaml"), *(each for group in groups for each in (CONF / group).glob("*"))]:
        config = OmegaConf.to_container(OmegaConf.load(file))
        own = {key: value for key, value in config.items() if key not in ("defaults", "hydra")}
        assert [each.name for each in conf.documented(file)] == list(_names(own)), file


def _names(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict) and set(value) - set(conf.HYDRAS_OWN):
            yield from _names(value, f"{prefix}{key}.")
        elif key not in conf.HYDRAS_OWN:
            yield f"{prefix}{key}"


def test_every_setting_of_the_commands_is_explained():
    for name in ("config.yaml", "label.yaml"):
        file = CONF / name
        unexplained = [each.name for each in conf.settings(file) if not each.about]
        assert unexplained in ([], ["patience"])  # the line above says what it is
        config = OmegaConf.load(file)
        plain = [key for key, value in config.items() if not OmegaConf.is_config(value) or not value]
        wanted = [key for key in plain if key != "defaults"]
        wanted += [
            name
            for name in _names(OmegaConf.to_container(config, resolve=False))
            if name.partition(".")[0] in conf.GROUPS
        ]
        assert sorted(each.name for each in conf.settings(file)) == sorted(wanted)


def test_of_two_choices_of_one_name_the_first_folders_counts(tmp_path):
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy" / "salutary.yaml").touch()
    (tmp_path / "strategy" / "mine.yaml").touch()
    files = conf.choices([CONF, tmp_path])["strategy"]
    assert files["salutary"].parent.parent == CONF and files["mine"].parent.parent == tmp_path
    assert list(files) == sorted(files)
