<?php

/**
 * Writes the extension's surface as PHP: what an IDE and static analysis read, and what a test compares with the extension.
 *
 *     php -d extension=target/release/libproletarier.so stubs/generate.php > stubs/proletarier.stub.php
 *
 * Signatures are Reflection's; descriptions are those of the package's own files of the same names in php/, where there is one, and of DESCRIPTIONS.
 */

declare(strict_types=1);

const DESCRIPTIONS = [
    'Proletarier\Client' => 'Hands events to the broker. Connects with the first event; the connection belongs to the process and ends with it.',
    'Proletarier\Client::__construct' => "@param string|null \$connect the broker's socket, such as 'ipc:///run/app/events.sock'; null: computed from the options\n"
        . "@param array{\n    confirm?: 'none'|'deferred'|'accepted'|'synced',\n    timeout?: int|float,\n    spool?: bool|string,\n    spool_max?: int|string,\n"
        . "    max_message_size?: int|string,\n    state_dir?: string,\n    runtime_dir?: string,\n    permissions?: array<string, mixed>,\n} \$options the keys of `client`, and those that "
        . "socket and spool are computed from\n\n@throws Exception\Configuration",
    'Proletarier\Event' => 'The event that a listener gets where no framework is there. Only workers make one.',
    'Proletarier\Event::__construct' => 'Throws: only workers make events.',
    'proletarier_run' => "Runs the daemon until it is told to stop, and returns its exit status. Returns in the process that called it only, never in a worker.\n\n"
        . "@param array<array-key, mixed> \$listeners [event or '*', callable, priority?, options?], maps with the keys event and listener (and priority, id,\n"
        . "    timeout, retry, parallel), objects with attach(), or false\n"
        . "@param array<string, mixed> \$options the key `proletarier` of the configuration, without `listeners`; beside it role ('all', 'broker', 'worker'),\n"
        . "    events (a callable that gets the internal events) and logger (an object with PSR-3's log())\n\n"
        . "@throws Proletarier\Exception\Configuration\n@throws Proletarier\Exception\AlreadyRunning",
    'proletarier_recycle' => "Has this worker replaced after the event that it handles: the next one is there before it leaves, and no event counts as tried for it.\n\n"
        . "@param string \$reason for the log, and for `worker.shutdown`; of several that were given the first\n\n"
        . "@return bool false outside of a worker, where nothing happens",
    'proletarier_spool' => "Lists, drains or discards the events in this machine's spool.\n\n"
        . "@param 'list'|'drain'|'discard' \$action list: a page of `records`, and `next` for the page after; drain: sends them to client.connect, and\n"
        . "    tells how many were `sent` and are `left`; discard: tells how many (`done`)\n"
        . "@param array<string, mixed> \$options the key `proletarier` of the configuration, by which the spool is found; beside it after, limit (100), id\n"
        . "    and params (false) of list, id or all of discard\n\n"
        . "@return array<string, mixed>\n\n"
        . "@throws Proletarier\Exception\BrokerUnavailable where the spool can't be used, or no broker takes what is in it",
    'proletarier_control' => "Asks the daemon at its control socket, and returns its answer.\n\n"
        . "@param array<string, mixed> \$request such as ['command' => 'status']; docs/protocol.md has them all\n"
        . "@param array<string, mixed> \$options the key `proletarier` of the configuration, by which the socket is found; beside it timeout (seconds, 5)\n\n"
        . "@return array<string, mixed>\n\n"
        . "@throws Proletarier\Exception\BrokerUnavailable where nobody answers, or this user may not ask\n"
        . "@throws Proletarier\Exception\Rejected where the daemon refuses the request",
];

/** Classes that are the worker's own. */
const INTERNAL = 'Proletarier\Internal\\';

echo stubs();

function stubs(): string
{
    $extension = new ReflectionExtension('proletarier');
    $code = "<?php\n\n/**\n * What the extension proletarier brings. Made by stubs/generate.php; not to be loaded.\n */\n";
    $byNamespace = ['' => []];
    foreach ($extension->getFunctions() as $function) {
        $byNamespace[''][] = documentation($function->getName(), '') . "function {$function->getName()}" . signature($function) . "\n{\n}\n";
    }
    foreach ($extension->getClasses() as $class) {
        if (!str_starts_with($class->getName(), INTERNAL)) {
            $byNamespace[$class->getNamespaceName()][$class->getShortName()] = classCode($class);
        }
    }
    ksort($byNamespace);
    foreach ($byNamespace as $namespace => $parts) {
        ksort($parts);
        $code .= "\nnamespace" . ($namespace === '' ? '' : " $namespace") . " {\n\n" . indented(implode("\n", $parts)) . "}\n";
    }

    return $code;
}

function classCode(ReflectionClass $class): string
{
    $kind = match (true) {
        $class->isInterface() => 'interface',
        $class->isEnum() => 'enum',
        default => ($class->isFinal() ? 'final ' : '') . 'class',
    };
    $head = "$kind {$class->getShortName()}";
    if ($class->isEnum()) {
        $head .= ': ' . (new ReflectionEnum($class->getName()))->getBackingType();
    }
    $parent = $class->getParentClass();
    $head .= $parent ? " extends \\{$parent->getName()}" : '';
    $interfaces = ownInterfaces($class);
    if ($interfaces !== []) {
        $head .= ($class->isInterface() ? ' extends ' : ' implements ') . implode(', ', array_map(static fn ($name) => "\\$name", $interfaces));
    }
    $members = [];
    if ($class->isEnum()) {
        foreach ((new ReflectionEnum($class->getName()))->getCases() as $case) {
            $members[] = "case {$case->getName()} = " . var_export($case->getBackingValue(), true) . ";\n";
        }
    }
    foreach ($class->getProperties() as $property) {
        if ($property->getDeclaringClass()->getName() === $class->getName() && !$class->isEnum()) {
            $members[] = implode(' ', Reflection::getModifierNames($property->getModifiers())) . " {$property->getType()} \${$property->getName()};\n";
        }
    }
    foreach ($class->getMethods() as $method) {
        if ($method->getDeclaringClass()->getName() === $class->getName() && !$class->isEnum()) {
            $modifiers = array_diff(Reflection::getModifierNames($method->getModifiers()), $class->isInterface() ? ['abstract'] : []);
            $members[] = documentation($class->getName(), $method->getName())
                . implode(' ', $modifiers) . " function {$method->getName()}" . signature($method) . ($class->isInterface() ? ";\n" : "\n{\n}\n");
        }
    }

    return documentation($class->getName(), '') . "$head\n{\n" . indented(implode("\n", $members)) . "}\n";
}

/**
 * @return list<string> without those that come with the parent or another interface
 */
function ownInterfaces(ReflectionClass $class): array
{
    $inherited = $class->getParentClass() ? $class->getParentClass()->getInterfaceNames() : [];
    foreach ($class->getInterfaces() as $interface) {
        array_push($inherited, ...$interface->getInterfaceNames());
    }
    if ($class->isEnum()) {
        array_push($inherited, 'UnitEnum', 'BackedEnum');
    }
    $own = array_values(array_diff($class->getInterfaceNames(), $inherited));
    sort($own);

    return $own;
}

function signature(ReflectionFunctionAbstract $function): string
{
    $parameters = array_map(static function (ReflectionParameter $parameter): string {
        $type = $parameter->hasType() ? typeCode($parameter->getType()) . ' ' : '';
        $default = $parameter->isDefaultValueAvailable() ? ' = ' . defaultCode($parameter->getDefaultValue()) : '';

        return $type . ($parameter->isVariadic() ? '...' : '') . '$' . $parameter->getName() . $default;
    }, $function->getParameters());

    return '(' . implode(', ', $parameters) . ')' . ($function->hasReturnType() ? ': ' . typeCode($function->getReturnType()) : '');
}

function typeCode(ReflectionType $type): string
{
    if ($type instanceof ReflectionUnionType) {
        $names = array_map(typeCode(...), $type->getTypes());
        sort($names);

        return implode('|', array_reverse($names));
    }
    $name = $type->getName();

    return ($type->allowsNull() && $name !== 'mixed' && $name !== 'null' ? '?' : '') . ($type->isBuiltin() ? $name : "\\$name");
}

function defaultCode(mixed $value): string
{
    return $value === [] ? '[]' : strtolower(var_export($value, true));
}

/**
 * The description of a class, function or method, as a doc comment.
 */
function documentation(string $of, string $method): string
{
    $text = DESCRIPTIONS[$method === '' ? $of : "$of::$method"] ?? packageText($of, $method);
    if ($text === null && $method !== '' && class_exists($of)) {
        foreach (class_implements($of) as $interface) {
            $text ??= method_exists($interface, $method) && packageText($interface, $method) !== null ? '{@inheritDoc}' : null;
        }
    }
    if ($text === null) {
        return '';
    }
    $lines = array_map(static fn (string $line) => rtrim(" * $line"), explode("\n", $text));

    return "/**\n" . implode("\n", $lines) . "\n */\n";
}

/**
 * What the package's own file of this class says, which is not loaded where the extension is.
 */
function packageText(string $class, string $method): ?string
{
    $file = dirname(__DIR__) . '/php/' . strtr(substr($class, strlen('Proletarier\\')), '\\', '/') . '.php';
    if (!str_starts_with($class, 'Proletarier\\') || !is_file($file)) {
        return null;
    }
    $what = $method === '' ? '(?:final |abstract )?(?:class|interface|enum) ' : 'public function ' . preg_quote($method, '~') . '\(';
    if (preg_match('~/\*\*((?:(?!\*/).)*)\*/\s*' . $what . '~s', file_get_contents($file), $match) !== 1) {
        return null;
    }
    $lines = array_map(static fn (string $line) => rtrim(preg_replace('~^\s*\* ?~', '', $line)), explode("\n", trim($match[1])));
    // Each file says that it is the extension's stand-in: not so here.
    $text = preg_replace('~\n*The extension defines this .*$~s', '', implode("\n", $lines));

    return trim($text);
}

function indented(string $code): string
{
    return preg_replace('~^(?=.)~m', '    ', $code);
}
