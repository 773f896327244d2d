package mysql

import "testing"

func TestWithoutCounter(t *testing.T) {
	t.Parallel()
	const columns = "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `v` text COMMENT ' AUTO_INCREMENT=5',\n  PRIMARY KEY (`id`)\n)"
	for text, want := range map[string]string{
		columns + " ENGINE=InnoDB AUTO_INCREMENT=31 DEFAULT CHARSET=utf8mb4": columns + " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
		columns + " ENGINE=InnoDB":                    columns + " ENGINE=InnoDB",
		columns + " ENGINE=InnoDB AUTO_INCREMENT=9":   columns + " ENGINE=InnoDB",
		"CREATE TABLE `t` (`id` int) AUTO_INCREMENT=": "CREATE TABLE `t` (`id` int)",
		"": "",
	} {
		if got := withoutCounter(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
