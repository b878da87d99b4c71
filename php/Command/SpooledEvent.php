<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * How an event in the spool is shown.
 */
final class SpooledEvent
{
    public const HEADINGS = ['spooled', 'triggered', 'id', 'event'];

    /**
     * @param array<string, mixed> $event as the spool has it
     *
     * @return list<string>
     */
    public static function row(array $event): array
    {
        return [
            Screen::time($event['spooled_at']),
            Screen::time($event['triggered_at']),
            $event['id'],
            $event['name'],
        ];
    }

    /**
     * @param array<string, mixed> $event
     */
    public static function show(array $event, Screen $screen): void
    {
        $screen->heading(Screen::line("{$event['name']}, spooled"));
        Fields::show($screen, [
            'event' => $event['name'],
            'id' => $event['id'],
            'triggered' => Screen::time($event['triggered_at'], 'Y-m-d H:i:s T'),
            'spooled' => Screen::time($event['spooled_at'], 'Y-m-d H:i:s T'),
            'session' => (string) ($event['session'] ?? ''),
            'number' => (string) ($event['number'] ?? ''),
        ]);
        Fields::params($screen, $event);
    }
}
