import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.ToNumberPolicy;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Walks the scenario with one client, and prints what that client shows of each step as a line of JSON. */
class Scenario {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Duration PAUSE = Duration.ofMillis(100);
    private static final Pattern PLACE = Pattern.compile("\\{(\\w+)}");
    static final Gson JSON = new GsonBuilder()
            .serializeNulls()
            .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
            .disableHtmlEscaping()
            .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
            .create();

    /** A product of the vendor: its version, and where its parameters travel. */
    record Api(String version, String parametersIn) {}

    record Expect(String path, Object value) {}

    record Step(String id, String api, String action, String server, String secret, String needs, String until,
            Map<String, Object> parameters, Map<String, String> save, Expect expect) {}

    record Run(Map<String, Api> apis, List<Step> steps, Map<String, String> servers, String key,
            Map<String, String> secrets) {}

    record Outcome(Map<String, ?> reply, Refused refused, Object value) {}

    /** A refusal as the client shows it: its code and its text. */
    static class Refused extends Exception {
        final String code;

        Refused(String code, Exception error) {
            super(error.getClass().getSimpleName() + ": " + error.getMessage(), error);
            this.code = code;
        }
    }

    /** Makes calls. `how` says in which way; `call` gives the reply. */
    interface Client {
        String how(Api api);

        Map<String, ?> call(Api api, String action, Map<String, Object> parameters) throws Exception;
    }

    interface Connect {
        Client to(String endpoint, String key, String secret) throws Exception;
    }

    /** Takes the steps of the run in a file. `sdk` is a class of the client, which tells its version. */
    static void walk(String name, Class<?> sdk, String file, Connect connect) throws Exception {
        Run run = JSON.fromJson(Files.readString(Path.of(file)), Run.class);
        BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));
        Map<String, String> saved = new HashMap<>();
        for (Step step : run.steps()) {
            if (step.needs() != null) {
                say(Map.of("needs", step.needs()));
                answers.readLine();
            }
            String server = run.servers().get(Objects.requireNonNullElse(step.server(), "main"));
            String secret = run.secrets().get(Objects.requireNonNullElse(step.secret(), "right"));
            Client client = connect.to(server, run.key(), secret);
            Api api = run.apis().get(step.api());
            Outcome outcome = repeated(step, client, api, filled(step.parameters(), saved));
            if (step.save() != null) {
                step.save().forEach((place, path) -> saved.put(place, String.valueOf(at(outcome.reply(), path))));
            }
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("client", name);
            line.put("version", version(sdk));
            line.put("step", step.id());
            line.put("how", client.how(api));
            line.put("ok", outcome.refused() == null);
            line.put("code", outcome.refused() == null ? null : outcome.refused().code);
            line.put("shown", outcome.refused() == null ? null : outcome.refused().getMessage());
            line.put("value", outcome.value());
            say(line);
        }
    }

    /** The outcome of a step; the last one if the step waits for something. */
    private static Outcome repeated(Step step, Client client, Api api, Map<String, Object> parameters)
            throws Exception {
        Instant deadline = Instant.now().plus(PATIENCE);
        String until = Objects.requireNonNullElse(step.until(), "");
        while (true) {
            Outcome outcome = outcome(step, client, api, parameters);
            boolean done = switch (until) {
                case "expected" -> Objects.equals(outcome.value(), step.expect().value());
                case "refused" -> outcome.refused() != null;
                default -> true;
            };
            if (done || Instant.now().isAfter(deadline)) {
                return outcome;
            }
            if (until.equals("expected")) {
                Thread.sleep(PAUSE.toMillis());
            }
        }
    }

    private static Outcome outcome(Step step, Client client, Api api, Map<String, Object> parameters)
            throws Exception {
        try {
            Map<String, ?> reply = client.call(api, step.action(), parameters);
            return new Outcome(reply, null, step.expect() == null ? null : at(reply, step.expect().path()));
        } catch (Refused refused) {
            return new Outcome(null, refused, null);
        }
    }

    /** The parameters, with what earlier replies gave. */
    private static Map<String, Object> filled(Map<String, Object> parameters, Map<String, String> saved) {
        Map<String, Object> filled = new HashMap<>(parameters);
        filled.replaceAll((name, value) -> value instanceof String text
                ? PLACE.matcher(text).replaceAll(found -> Matcher.quoteReplacement(saved.get(found.group(1))))
                : value);
        return filled;
    }

    /** What a reply holds at a path such as `Images.Image.0.Status`, or null. */
    private static Object at(Object value, String path) {
        if (path == null) {
            return null;
        }
        for (String name : path.split("\\.")) {
            if (value instanceof Map<?, ?> map) {
                value = map.get(name);
            } else if (value instanceof List<?> list && Integer.parseInt(name) < list.size()) {
                value = list.get(Integer.parseInt(name));
            } else {
                return null;
            }
        }
        return value;
    }

    /** The name of the file that the SDK came in, which has its version. */
    private static String version(Class<?> sdk) {
        Path file = Path.of(sdk.getProtectionDomain().getCodeSource().getLocation().getPath()).getFileName();
        return file.toString().replaceFirst("-(?=[0-9.]+\\.jar$)", " ").replaceFirst("\\.jar$", "");
    }

    private static void say(Map<String, ?> line) {
        System.out.println(JSON.toJson(line));
        System.out.flush();
    }
}
