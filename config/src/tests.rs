use super::*;

const CLUSTER: &str =
    "[[cluster]]\nname = \"a\"\nprotocol = \"kafka\"\nlegacy = [\"k:9092\"]\nlisten = \"127.0.0.1:9092\"\n";

/// Text, line, column and key of the problem, and a word of its message.
type Row<'a> = (&'a str, usize, usize, &'a str, &'a str);

#[test]
fn each_problem_is_found_where_it_is() {
    let rows: &[Row<'_>] = &[
        ("[kernel]\nshard = 4\n", 2, 1, "kernel.shard", "unknown key"),
        ("[kernal]\n", 1, 2, "kernal", "unknown key"),
        ("[kernel]\nshards = \"x\"\n", 2, 10, "kernel.shards", "whole number"),
        ("[kernel]\nshards = 0\n", 2, 10, "kernel.shards", "between 1 and 256"),
        ("[kernel]\nshards = -1\n", 2, 10, "kernel.shards", "between"),
        ("[kernel]\nshards = 99999999999999999999999\n", 2, 10, "kernel.shards", "between"),
        ("[kernel]\nstore = \"object\"\n", 2, 9, "kernel.store", "not built yet"),
        ("[kernel]\nstore = \"disk\"\n", 2, 9, "kernel.store", "one of"),
        ("[kernel]\nsync = 3\n", 2, 8, "kernel.sync", "a string"),
        ("kernel = 3\n", 1, 10, "kernel", "a table"),
        ("[kernel]\nstore = \n", 2, 9, "", ""),
        ("[cluster]\nname = \"a\"\n", 1, 1, "cluster", "[[cluster]]"),
        ("[admin]\nlisten = \"0.0.0.0:8080\"\n", 2, 10, "admin.listen", "beyond loopback"),
        ("[admin]\nlisten = \"here\"\n", 2, 10, "admin.listen", "address and port"),
        ("[admin]\ntoken = \"short\"\n", 2, 9, "admin.token", "at least 16"),
        ("[admin]\ntoken_file = \"/no/such\"\n", 2, 14, "admin.token_file", "cannot be opened"),
        ("[log]\nlevel = \"loud\"\n", 2, 9, "log.level", "one of"),
        ("[limits]\nidle_ms_max = 1\n", 2, 15, "limits.idle_ms_max", "between"),
        ("[kernel.kafka]\nlisten = \"127.0.0.1:8080\"\n", 2, 10, "kernel.kafka.listen", "admin.listen"),
        ("[kernel.kafka]\nlisten = \"0.0.0.0:9092\"\n", 2, 10, "kernel.kafka.listen", "unspecified"),
    ];
    for row in rows {
        assert_row("", row);
    }
}

#[test]
fn problems_of_clusters_and_migrations_are_found_where_they_are() {
    let rows: &[Row<'_>] = &[
        ("ports = \"9100\"\n", 6, 9, "cluster[0].ports", "range of ports"),
        ("ports = \"9091-9100\"\n", 6, 9, "cluster[0].ports", "`cluster[0].listen` has already"),
        ("kernel_listen = \"127.0.0.1:9095\"\n", 6, 17, "cluster[0].kernel_listen", "has already"),
        ("advertise = \"x:1\"\n", 6, 13, "cluster[0].advertise", "host name"),
        ("[cluster.tls]\ncert = \"/no/such\"\nkey = \"/no/such\"\n", 7, 8, "cluster[0].tls.cert", "opened"),
        ("[cluster.tls]\nkey = \"Cargo.toml\"\n", 6, 1, "cluster[0].tls", "lacks the key `cert`"),
        (
            "[cluster.legacy_tls]\nca = \"Cargo.toml\"\ncert = \"Cargo.toml\"\n",
            8,
            8,
            "cluster[0].legacy_tls.cert",
            "together",
        ),
        (
            "[[migration]]\nname = \"m\"\ncluster = \"b\"\ntopics = [\"*\"]\n",
            8,
            11,
            "migration[0].cluster",
            "no cluster",
        ),
        ("[[migration]]\nname = \"m\"\ncluster = \"a\"\n", 6, 1, "migration[0].topics", "nothing would move"),
        (
            "[[migration]]\nname = \"m\"\ncluster = \"a\"\ntopics = [\"x\", \"re:(\"]\n",
            9,
            16,
            "migration[0].topics[1]",
            "regular expression",
        ),
        (
            "[[migration]]\nname = \"m m\"\ncluster = \"a\"\ntopics = [\"x\"]\n",
            7,
            8,
            "migration[0].name",
            "letters",
        ),
        (
            "[[migration]]\nname = \"m\"\ncluster = \"a\"\ntopics = [\"o.*\"]\n[[migration]]\nname = \"n\"\ncluster = \"a\"\ntopics = [\"x\", \"*.eu\"]\n",
            13,
            16,
            "migration[1].topics[1]",
            "matches too",
        ),
        (
            "[[migration]]\nname = \"m\"\ncluster = \"a\"\ntopics = [\"o\"]\n[[migration]]\nname = \"m\"\ncluster = \"a\"\ntopics = [\"p\"]\n",
            11,
            8,
            "migration[1].name",
            "already",
        ),
        (
            "[[migration]]\nname = \"m\"\ncluster = \"a\"\ntopics = [\"o\"]\n[migration.limits]\nlease_ms = 9000\n",
            11,
            12,
            "migration[0].limits.lease_ms",
            "shorter",
        ),
        (
            "[[cluster]]\nname = \"b\"\nprotocol = \"mqtt\"\nlegacy = []\nlisten = \"127.0.0.1:1\"\n",
            8,
            12,
            "cluster[1].protocol",
            "not built yet",
        ),
    ];
    for row in rows {
        assert_row(CLUSTER, row);
    }
}

#[test]
fn problems_of_links_are_found_where_they_are() {
    let rows: &[Row<'_>] = &[
        ("[cluster.link]\nuser = \"u\"\n", 6, 1, "cluster[0].link", "lacks `password_file` or `password`"),
        ("[cluster.link]\npassword = \"p\"\n", 6, 1, "cluster[0].link", "lacks the key `user`"),
        (
            "[cluster.link]\nuser = \"u\"\npassword_file = \"/no/such\"\n",
            8,
            17,
            "cluster[0].link.password_file",
            "opened",
        ),
        (
            "[cluster.link]\nuser = \"u\"\npassword = \"p\"\npassword_file = \"/no/such\"\n",
            9,
            17,
            "cluster[0].link.password_file",
            "exclude",
        ),
        (
            "[cluster.link]\nuser = \"u\"\npassword = \"p\"\nmechanism = \"SCRAM-SHA-256\"\n",
            9,
            13,
            "cluster[0].link.mechanism",
            "not built yet",
        ),
        ("[cluster.link]\nuser = \"a\\u0000b\"\npassword = \"p\"\n", 7, 8, "cluster[0].link.user", "control"),
    ];
    for row in rows {
        assert_row(CLUSTER, row);
    }
}

fn assert_row(before: &str, (text, line, column, key, word): &Row<'_>) {
    let problems = parse(&format!("{before}{text}")).expect_err(text);
    let found = problems.iter().any(|problem| {
        (problem.line, problem.column, problem.key.as_str()) == (*line, *column, key)
            && problem.message.contains(word)
    });
    assert!(found, "{text}\nfound: {problems:#?}");
}

#[test]
fn every_problem_is_reported_at_once_and_in_order() {
    let text = "[kernel]\nshards = 0\nbogus = 1\n[admin]\nlisten = \"x\"\n[limits]\nconnections_max = true\n";
    let lines: Vec<_> = parse(text).unwrap_err().iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 5, 7]);
}

#[test]
fn a_near_miss_is_named_and_the_line_is_marked() {
    let problems = parse("[kernel]\n  shardz = 4\n").unwrap_err();
    let shown = render("sluice.toml", &problems);
    assert_eq!(
        shown,
        "error: `kernel.shardz`: unknown key\n --> sluice.toml:2:3\n  |\n2 |   shardz = 4\n  |   ^^^^^^\n   = help: did you mean `shards`?\n\n"
    );
}

#[test]
fn listening_beyond_loopback_without_tls_is_a_warning() {
    let text = CLUSTER.replace("127.0.0.1:9092", "0.0.0.0:9092") + "advertise = \"mq.example.com\"\n";
    let config = parse(&text).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(config.warnings[0].key, "cluster[0].listen");
}

#[test]
fn defaults_of_a_cluster_follow_its_listener() {
    let config = parse(CLUSTER).unwrap();
    let cluster = config.cluster("a").unwrap();
    assert_eq!(cluster.ports, PortRange { first: 9093, last: 9112 });
    assert_eq!(cluster.kernel_listen.port(), 9113);
    assert!(config.kernel.kafka.is_none());
    assert_eq!(Config::stand_alone().kernel.client_node_id(), 1_000_000_000);
}

#[test]
fn secrets_are_not_shown() {
    let config = parse("[admin]\ntoken = \"0123456789abcdef\"\n").unwrap();
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
    let problems = parse("[admin]\ntoken = \"0123456789 bcdef\"\n").unwrap_err();
    assert!(!render("sluice.toml", &problems).contains("0123456789"));
}

#[test]
fn a_link_keeps_its_password_to_itself_and_says_that_it_travels_in_the_open() {
    let secret = "planted-0123456789";
    let config = parse(&format!("{CLUSTER}[cluster.link]\nuser = \"u\"\npassword = \"{secret}\"\n")).unwrap();
    let link = config.clusters[0].link.clone().unwrap();
    assert_eq!(link.password, LinkPassword::Here(Secret::new(secret.to_owned())));
    assert!(!format!("{config:?}").contains(secret));
    assert_eq!(config.warnings[0].key, "cluster[0].link");
    let relay = parse(&format!("{CLUSTER}sasl = \"relay\"\n")).unwrap();
    assert!(
        relay.warnings.iter().any(|warning| warning.message.contains("no answer")),
        "{:?}",
        relay.warnings
    );
}

#[test]
fn no_mistake_shows_a_secret() {
    let secret = "planted-0123456789";
    for rest in [
        "[cluster.link]\nuser = \"u\"\npasword = \"{}\"\n",
        "[cluster.link]\nuser = \"u\"\npassword = [\"{}\"]\n",
        "[cluster.link]\nuser = \"u\"\npassword = \"{}\\u0000\"\n",
        "[cluster.link]\nuser = \"u\"\npassword = \"{}\n",
        "link = { user = 1, password = \"{}\" }\n",
        "lnk = { user = \"u\", password = \"{}\" }\n",
        "[cluster.link]\nuser = \"u\"\npw = \"{}\"\n",
        "[admin]\ntokn = \"{}\"\n",
        "[admin]\ntoken = \"{} \"\n",
    ] {
        let problems = parse(&format!("{CLUSTER}{}", rest.replace("{}", secret))).expect_err(rest);
        let shown = render("sluice.toml", &problems);
        assert!(!shown.contains("planted") && shown.contains("error"), "{rest}\n{shown}");
    }
}

#[test]
fn every_example_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut loaded = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let config =
            load(&path).unwrap_or_else(|problems| panic!("{}", render(&path.to_string_lossy(), &problems)));
        assert!(
            config.warnings.iter().all(|warning| warning.key.ends_with("listen")),
            "{:?}",
            config.warnings
        );
        loaded += 1;
    }
    assert!(loaded >= 3);
}

/// What the README shows is what a reader types first.
#[test]
fn the_configuration_in_the_readme_loads() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = parse(shown).unwrap_or_else(|problems| panic!("{}", render("README.md", &problems)));
    assert_eq!((config.clusters.len(), config.migrations.len()), (1, 1));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let problems = load(Path::new("/no/such/file.toml")).unwrap_err();
    assert_eq!((problems.len(), problems[0].line), (1, 0));
    assert!(render("f", &problems).starts_with("error: cannot be read"));
}

#[test]
fn hostile_text_is_refused_without_harm() {
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(parse(&deep).is_err());
    let many = "x = 1\n".repeat(5_000);
    assert!(parse(&many).unwrap_err().len() <= 100);
    assert!(parse("\u{0}").is_err());
    assert!(parse("é = 1\nü").is_err());
}

#[test]
fn a_certificate_can_say_who_somebody_is_only_where_one_is_shown() {
    let tls = "[cluster.tls]\ncert = \"Cargo.toml\"\nkey = \"Cargo.toml\"\nprincipal = \"subject\"\n";
    let problems = parse(&format!("{CLUSTER}{tls}")).unwrap_err();
    let found = problems.iter().find(|problem| problem.key == "cluster[0].tls.principal").unwrap();
    assert!(found.message.contains("needs `ca`"), "{found:?}");
    let config = parse(&format!("{CLUSTER}{tls}ca = \"Cargo.toml\"\n")).unwrap();
    let principal = config.clusters[0].tls.as_ref().map(|tls| tls.principal);
    assert_eq!(principal, Some(CertificatePrincipal::Subject));
}
