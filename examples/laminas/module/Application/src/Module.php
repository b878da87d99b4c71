<?php

declare(strict_types=1);

namespace Application;

use Laminas\Router\Http\Literal;

/**
 * The application: one page, which creates an account.
 */
final class Module
{
    public function getConfig(): array
    {
        return [
            'router' => [
                'routes' => [
                    'home' => [
                        'type' => Literal::class,
                        'options' => [
                            'route' => '/',
                            'defaults' => ['controller' => AccountController::class, 'action' => 'create'],
                        ],
                    ],
                ],
            ],
            'controllers' => [
                'factories' => [
                    AccountController::class => static fn ($container) => new AccountController($container->get('Proletarier\Client')),
                ],
            ],
        ];
    }
}
