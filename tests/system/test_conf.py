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


def test_every_setting_of_the_commands_is_explained():
    for name in ("config.yaml", "label.yaml"):
        file = CONF / name
        unexplained = [each.name for each in conf.settings(file) if not each.about]
        assert unexplained in ([], ["patience"])  # the line above says what it is
        config = OmegaConf.load(file)
        plain = [key for key, value in config.items() if not OmegaConf.is_config(value) or not value]
        assert [each.name for each in conf.settings(file)] == [key for key in plain if key != "defaults"]


def test_of_two_choices_of_one_name_the_first_folders_counts(tmp_path):
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy" / "salutary.yaml").touch()
    (tmp_path / "strategy" / "mine.yaml").touch()
    files = conf.choices([CONF, tmp_path])["strategy"]
    assert files["salutary"].parent.parent == CONF and files["mine"].parent.parent == tmp_path
    assert list(files) == sorted(files)
