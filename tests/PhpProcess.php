<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * Runs PHP in a process of its own, for what a process can do or be only once: load a framework or none, exit, be a command.
 */
final class PhpProcess
{
    private function __construct(public readonly int $status, public readonly string $output, public readonly string $errors)
    {
    }

    /**
     * @param string $code without the opening tag
     * @param bool $package whether the package and its tests' classes are loaded before
     */
    public static function code(string $code, bool $package = true): self
    {
        $load = $package ? sprintf("require %s;\n", var_export(__DIR__ . '/bootstrap.php', true)) : '';

        return self::run(['-r', $load . $code], dirname(__DIR__));
    }

    /**
     * @param list<string> $arguments of php
     */
    public static function run(array $arguments, ?string $directory = null): self
    {
        // A file, since two pipes, read one after the other, can block each other.
        $errors = tmpfile();
        $command = [PHP_BINARY, '-d', 'display_errors=stderr', '-d', 'error_reporting=-1', ...$arguments];
        $process = proc_open($command, [0 => ['file', '/dev/null', 'r'], 1 => ['pipe', 'w'], 2 => $errors], $pipes, $directory);
        $output = stream_get_contents($pipes[1]);
        $status = proc_close($process);
        rewind($errors);

        return new self($status, $output, stream_get_contents($errors));
    }
}
