<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * What is known of one event, a line each.
 */
final class Fields
{
    /**
     * @param array<string, string> $fields those that are empty are left out
     */
    public static function show(Screen $screen, array $fields): void
    {
        foreach (array_filter($fields, static fn (string $value) => $value !== '') as $name => $value) {
            $screen->say(sprintf('  %-10s %s', $name, Screen::line($value)));
        }
    }

    /**
     * @param array<string, mixed> $event with `params`, where it has any
     */
    public static function params(Screen $screen, array $event): void
    {
        if (array_key_exists('params', $event)) {
            $screen->heading('params');
            $screen->json($event['params'], JSON_PRETTY_PRINT);
        }
        $screen->say();
    }
}
