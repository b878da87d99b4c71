<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * The events of a run, and the listeners that each has.
 */
final class Events
{
    /** By name, in the order in which they run; 'sure' always succeeds. */
    public const LISTENERS = [
        'soak.plain' => ['sure', 'moody'],
        'soak.rough' => ['sure', 'mortal', 'moody'],
        'soak.final' => ['stubborn', 'sure', 'later'],
    ];

    /** The identity of an event's listener. */
    public static function identity(string $event, string $listener): string
    {
        return "$event/$listener";
    }

    /** Draws a name. */
    public static function name(Dice $dice): string
    {
        $draw = $dice->next();

        return match (true) {
            $draw < 0.6 => 'soak.plain',
            $draw < 0.85 => 'soak.rough',
            default => 'soak.final',
        };
    }
}
